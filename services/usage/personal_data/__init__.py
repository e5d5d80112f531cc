"""Usage's part of a personal data export: notifications, reports, and findings about the user's usage."""
