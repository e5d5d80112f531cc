"""Who is calling and what may they do: users, API keys, the audit log. Owns schema `auth`."""
