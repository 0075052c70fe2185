"""The same batches and the same loss without a Trainer: forward, backward, clip, AdamW."""

import setting


def main() -> None:
    length = setting.option("length", 2048, "tokens of a packed row")
    chats = setting.chats()
    setting.quiet()
    import torch

    import document_attention
    from packed_trainer import collate, lay_out, token_loss
    from podtune.data.packing import best_fit_decreasing

    document_attention.register()
    rows = lay_out(chats, best_fit_decreasing([len(c.input_ids) for c in chats], length))
    model = setting.adapted(document_attention.NAME).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=setting.RATE, weight_decay=0.0)

    def train() -> float:
        losses = []
        generator = torch.Generator().manual_seed(1)
        for index in torch.randperm(len(rows), generator=generator).tolist():
            total, count, _ = token_loss(model, collate([rows[index]]))
            (total / count).backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(total.detach()) / count)
        return sum(losses) / len(losses)

    useful = sum(len(c.input_ids) for c in chats)
    setting.measure(train, useful, rows=len(rows), length=length)


if __name__ == "__main__":
    main()
