"""The peer: LlamaIndex as its documentation shows it, on the same files; run in a throw-away environment of its own.

python vanilla.py MODEL_FOLDER THREADS FILE…        prints one JSON object with seconds a stage
"""

from __future__ import annotations

import json
import sys
import tempfile
import time

PACKAGES = (
    "llama-index-core",
    "llama-index-readers-file",
    "llama-index-embeddings-huggingface",
    "llama-index-vector-stores-chroma",
    "chromadb==1.5.9",
    "pypdf",
)
CHUNK_TOKENS = 254
"""What our embedder reads at once, special tokens not counted."""


def main(folder: str, threads: int, files: list[str]) -> None:
    """Read, split, embed and store, timed; imports and the model's loading don't count."""
    import chromadb
    import torch
    from llama_index.core import SimpleDirectoryReader, StorageContext, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore
    from tokenizers import Tokenizer

    torch.set_num_threads(threads)
    embedding = HuggingFaceEmbedding(model_name=folder, device="cpu")
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    began = time.monotonic()
    documents = SimpleDirectoryReader(input_files=files).load_data()
    read = time.monotonic()
    splitter = SentenceSplitter(
        chunk_size=CHUNK_TOKENS,
        chunk_overlap=0,
        tokenizer=lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
    )
    nodes = splitter.get_nodes_from_documents(documents)
    split = time.monotonic()
    with tempfile.TemporaryDirectory() as store:
        collection = chromadb.PersistentClient(store).create_collection("vanilla")
        context = StorageContext.from_defaults(vector_store=ChromaVectorStore(chroma_collection=collection))
        VectorStoreIndex(nodes, storage_context=context, embed_model=embedding)
    done = time.monotonic()
    seconds = {
        "read": read - began,
        "split": split - read,
        "embed_and_store": done - split,
        "until_ready": done - began,
    }
    print(json.dumps({**{key: round(value, 2) for key, value in seconds.items()}, "nodes": len(nodes)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
