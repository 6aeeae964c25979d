"""Notifications and subscriptions, webhooks, and the guard against addresses in private networks."""
