"""The routes. They translate HTTP; managers hold the logic."""
