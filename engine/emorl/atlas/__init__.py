"""The atlas: every response that an ensemble can give, with the weights that give it.

For a fixed prefix the members' logits do not depend on the weights, so the token chosen by
greedy hidden-state decoding is the upper envelope of linear functions of the weights. Following
the choices down, each response owns exactly one convex cell of the simplex of weights, and the
cells tile the simplex. ``polytope`` cuts cells, ``cells`` is the atlas of one prompt and the
look-up in it, ``field`` the mean reward over all weights, ``explain`` how far a weight can move
before the text changes. ``emorl.decoding.atlas`` builds atlases; nothing here needs a model.

The idea is that of exact line search in machine translation: upper envelopes along a line (Och
2003), over lattices (Macherey et al. 2008), as normal fans (Waite and Byrne 2015); linear support
is due to Cheng (1988).
"""
