"""A tiny random BERT with a WordPiece vocabulary of its own: as real as any, and loaded in no time."""

import string
from collections.abc import Sequence
from pathlib import Path

HIDDEN = 32
WORDS = [
    "the",
    "a",
    "of",
    "for",
    "red",
    "green",
    "blue",
    "big",
    "small",
    "milk",
    "bread",
    "cheese",
    "snack",
    "beauty",
    "meat",
    "deli",
    "fresh",
    "brand",
    "private",
]


def write_tiny_bert(
    folder: Path, seed: int = 7, more: str = "", spread: float = 0.5, words: Sequence[str] = WORDS
) -> Path:
    """Write config, weights and tokenizer of a 2-layer, 32-wide BERT; one seed always gives the same files.

    `words`, and characters of `more` (Chinese ones, say), are known as a whole; `spread` is the standard deviation of
    the weights.
    """
    import torch
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordPiece
    from transformers import BertConfig, BertModel

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = [*special, *characters, *(f"##{one}" for one in string.ascii_lowercase + string.digits), *words, *more]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=spread,
        pad_token_id=0,
    )
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config, add_pooling_layer=False).eval().save_pretrained(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
