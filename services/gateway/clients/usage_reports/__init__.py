"""Reports of the usage service, as the gateway orders and reads them."""
