"""The engine of EMORL Atlas: train one adapter per objective, search the weights, keep it all.

Read the modules in the order the data flows: ``config`` (every setting), ``data`` (prompts),
``rewards`` (scores in [0, 1]), ``policy`` (base model and adapters), ``training`` (SCST),
``ensemble`` (decoding with several adapters at once), ``evaluation`` (weights to scores),
``search`` (which weights to try), ``store`` (what happened), ``pipeline`` (where they meet),
``commands`` (the command line). Importing this package loads none of them.
"""

__version__ = "0.1.0"
