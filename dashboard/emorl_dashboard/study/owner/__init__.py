"""What a study's owner works with: the Study page and ``emorl study``.

``steps`` is what both do; ``draft_page``, ``sources_page`` and ``sealed_page`` are the page;
``cli``, ``cli_planning`` and ``cli_actions`` the command.
"""
