"""Overrides of the defaults that reproduce published networks, for comparisons with them."""

ARTICLES_NETWORK: dict[str, object] = {
    "segment": 1,
    "cell": "lstm",
    "hidden": 64,
    "layers": 2,
    "dropout": 0.0,
    "decoder": "last_step",
    "basis": False,
    "mask": False,
    "dampen": False,
    "calendar": [],
}
"""Network of the articles on plain LSTMs: `nn.LSTM(1, hidden, layers)` on values, linear on its last step."""
ARTICLES_TRAINING: dict[str, object] = {"loss": "mse", "optimizer": "adam", "weight_decay": 0.0}
"""Training of those articles."""
