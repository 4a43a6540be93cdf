"""A `ModuleList` that knows the type of its entries."""

from collections.abc import Iterator
from typing import Generic, TypeVar, cast

from torch import nn

Entry = TypeVar("Entry", bound=nn.Module)


class TypedModuleList(nn.ModuleList, Generic[Entry]):
    """Modules of one type; weights are named as in a plain `ModuleList`."""

    def __getitem__(self, index: int) -> Entry:  # type: ignore[override]  # slices are not used
        return cast("Entry", super().__getitem__(index))

    def __iter__(self) -> Iterator[Entry]:
        return cast("Iterator[Entry]", super().__iter__())
