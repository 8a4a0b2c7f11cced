"""The dashboard: reads what the engine publishes, never the engine's database.

``app`` is the entry point; each page of ``views`` lays out what ``queries`` (cached reads),
``frames`` (pure tables) and ``figures`` (pure pictures) make. ``live`` alone loads models.
"""
