"""The fine-tuning API's routes, together: what the unmodified `openai` SDK asks under `/v1`."""

from fastapi import APIRouter

from podtune.gateway.openai import chat, files, fine_tuning, models
from podtune.gateway.openai.parts import lifespan

router = APIRouter(prefix="/v1", tags=["openai"], lifespan=lifespan)
for part in (files, fine_tuning, models, chat):
    router.include_router(part.router)
