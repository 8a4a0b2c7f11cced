"""What came out, for the study's owner, on pages and as files for others.

``status`` says how far a study is; ``answers`` and ``material`` join ratings with the plan,
``results`` keeps what follows from them; ``export``, ``left_out``, ``datasheet``,
``datasheet_criteria`` and ``replication`` are the files.
"""
