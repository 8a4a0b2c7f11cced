"""The commands of ``emorl``: ``parser`` names them all, each module does one."""
