"""The generated parts of docs/messages.md and docs/asyncapi.json; tools/messages.py writes them."""
