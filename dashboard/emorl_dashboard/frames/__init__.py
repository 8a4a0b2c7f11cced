"""Frame to frame, pure: what the pages show, computed from what the queries return.

``numbers`` writes numbers, ``runs`` sums up runs and costs, ``training`` the curves,
``weight_space`` the evaluated weights, ``texts`` the responses.
"""
