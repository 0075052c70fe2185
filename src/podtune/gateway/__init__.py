"""HTTP: the application's contract, the fine-tuning API, the dashboard. Calls `app`, renders."""
