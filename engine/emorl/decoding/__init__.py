"""Ensembles of adapters: one base model, n adapters, one text decided together.

``forward`` runs all adapters on shared prefixes, ``aggregation`` combines what they say about
the next token, ``decoding`` follows the choices down a prefix tree, ``ensemble`` is the front.
"""
