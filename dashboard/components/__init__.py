"""Streamlit v2 components: small scripts that run in the page and send events back."""
