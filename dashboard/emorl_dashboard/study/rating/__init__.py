"""One annotator at work: the Annotate page.

``progress``, ``replies``, ``visits`` and ``desk`` know nothing of Streamlit: each answer is saved
once. ``form``, ``keyboard``, ``entrance``, ``session`` and ``throttle`` are the page. Nothing here
may import ``planning`` or ``reporting``, which know runs, weights and scores.
"""
