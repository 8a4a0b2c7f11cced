"""Human evaluation: blind studies of several systems by several annotators.

Read in this order:

- ``guidelines``  the questions and what each level means (shipped texts in ``guidelines.toml``)
- ``blinding``    opaque item codes, and the order in which one annotator sees the items
- ``plan``        a sealed study: ``artifacts/studies/<study_id>/plan.json``, the manifest
- ``sources``, ``offers``, ``imported``  responses of stored runs, or of a CSV or JSONL file
- ``draft``, ``building``, ``preflight``, ``creation``  settings -> items -> checks -> seal
- ``assignment``  shares of annotators, leases, and what is left by others
- ``files``, ``chain``, ``unblinding``, ``integrity``  the log of a study's state, and who vouches
- ``invites``, ``throttle``  links of annotators, and guessing slowed down
- ``ratings``, ``schema``, ``rows``, ``store_file``, ``index``, ``publisher``, ``store``  the
  events in ``artifacts/studies/annotations.duckdb`` and their published snapshots
- ``progress``, ``replies``, ``desk``  one annotator at work: saves each answer once
- ``form``, ``keyboard``, ``entrance``, ``session``  the Annotate page
- ``owner``, ``source_changes``, ``owner_draft``, ``owner_sources``, ``owner_sealed``  the Study
  page; ``cli``, ``cli_planning``, ``cli_actions``  ``emorl study``
- ``answers``, ``analysis``  ratings joined with the plan, and what follows from them
- ``export``, ``left_out``, ``datasheet``, ``replication``  all of it as files for others
"""
