"""Pages: subscriptions and deliveries."""
