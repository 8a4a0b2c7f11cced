"""A study as it was sealed, and the records of what it asks for: what is rated, how, by whom.

Read in this order: ``guidelines`` (shipped texts in ``guidelines.toml``), ``plan``, ``blinding``,
``assignment`` (shares of annotators), ``comparisons``, ``ratings`` (what an annotator submits);
``files`` is how every file of a study is written.
"""
