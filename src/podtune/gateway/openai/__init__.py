"""The hosted fine-tuning API that the `openai` SDK speaks."""
