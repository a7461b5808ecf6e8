"""What an operator needs: structured logs, metrics, health, limits and headers of every answer."""
