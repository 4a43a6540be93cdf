"""How large a page of a Parquet column becomes, before it is decompressed.

The head of each page says so (parquet.thrift, `PageHeader`), in Thrift's compact protocol. pyarrow does not tell, the
footer tells the sum for a column at best, and a few kilobytes may become a page of two gigabytes.
"""

from typing import Any

from app.formats.parquet_footer import I32, ThriftReader

LONGEST_HEAD = 1024 * 1024
"""bytes of a page's head: its statistics hold two values"""
_UNCOMPRESSED = 2
_COMPRESSED = 3


def measure_largest_page(file: Any, start: int, size: int, most: int) -> int:
    """Return how many bytes the largest page of a column chunk has when it is decompressed.

    `file` is a buffer; the chunk has `size` bytes from `start` on, and `most` pages at most. Raises ValueError for what
    is no chunk.
    """
    end = start + size
    if start < 0 or size < 0 or end > len(file):
        raise ValueError("a column lies beyond the end of the file")
    content = memoryview(file).cast("B")
    largest = 0
    at = start
    pages = 0
    while at < end:
        pages += 1
        if pages > most:
            raise ValueError("a column has more pages than rows")
        head = ThriftReader(content[at : min(end, at + LONGEST_HEAD)])
        sizes = head.read_struct(I32)
        uncompressed = sizes.get(_UNCOMPRESSED, -1)
        compressed = sizes.get(_COMPRESSED, -1)
        if uncompressed < 0 or compressed < 0:
            raise ValueError("the head of a page does not say how large it is")
        largest = max(largest, uncompressed)
        at += head.at + compressed
    return largest
