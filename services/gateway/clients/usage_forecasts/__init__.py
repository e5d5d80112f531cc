"""The usage service's forecasts, asked for and read."""
