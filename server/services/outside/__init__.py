"""What leaves the installation: notifications, webhooks, and which addresses they may reach."""
