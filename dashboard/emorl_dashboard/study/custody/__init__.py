"""Who may do what with a sealed study, and who vouches for that.

``chain`` is the log, ``unblinding`` the states that it holds, ``integrity`` what log, plan and
ratings say together; ``annotators`` and ``invites`` are the people.
"""
