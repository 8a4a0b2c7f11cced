"""Human evaluation: a blind study of one finished run, and the ratings that people give.

Read in this order:

- ``guidelines``  the questions and what 0, 1 and 2 mean (texts in ``guidelines.toml``)
- ``blinding``    opaque item codes and the order in which one annotator sees the items
- ``plan``        a study, sealed in ``artifacts/studies/<study_id>/plan.json``
- ``creation``    a finished run -> a plan
- ``ratings``     what an annotator submits, and what is known about an item
- ``store``       the append-only events in ``artifacts/studies/annotations.duckdb``
- ``progress``    where an annotator stands: items rated, skipped, next
- ``desk``        one annotator at work: saves each answer once, says what happened
- ``form``, ``keyboard``, ``session``  the parts that talk to Streamlit
"""
