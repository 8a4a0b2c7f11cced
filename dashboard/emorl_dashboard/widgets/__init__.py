"""What pages are made of: pickers, sliders, charts with their selections."""
