"""A run in one HTML file that opens offline: ``emorl export report RUN``.

``content`` gathers what the report says, ``page`` writes it as HTML, ``__main__`` is the command.
Every text of a run is escaped; figures are drawn by the Plotly that the file carries, in the
colours of the reader's theme.
"""
