"""Frame to Plotly figure, pure: no Streamlit, no database.

``palette`` holds the colours of every page, ``systems`` the comparison of systems, ``training``
the curves, ``weight_space`` the map of evaluated weights.
"""
