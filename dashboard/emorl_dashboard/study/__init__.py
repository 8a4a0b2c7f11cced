"""Human evaluation: blind studies of several systems by several annotators.

Packages by reason to change, in the order in which they build on each other. None imports from a
later line or from a neighbour in its own; ``pyproject.toml`` holds this as a contract.

1. ``protocol``  a study as it was sealed, ``artifacts/studies/<study_id>/plan.json``: questions,
   items, codes, shares.  ``analysis``, with ``agreement``: what ratings say
2. ``custody``  the log of a study's state, who vouches for it, who is invited.  ``records``  the
   append-only ratings, ``artifacts/studies/annotations.duckdb``, and their published snapshots
3. ``planning``  settings -> items -> checks -> seal.  ``rating``  the Annotate page.
   ``reporting``  results, and all of it as files for others
4. ``owner``  the Study page and ``emorl study``
"""
