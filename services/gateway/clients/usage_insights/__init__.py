"""What the usage service found in rows, as the gateway asks for it. It owns the messages; it decides nothing."""
