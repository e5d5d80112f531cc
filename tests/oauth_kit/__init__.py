"""What tests of the authorization server share: a small browser, people, applications, gateways beside the first."""
