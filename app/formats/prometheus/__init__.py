"""What Prometheus sends, as protoc of protobuf 7.35 has made it of the `.proto` files beside it (`--python_out`,
`--pyi_out`). They are Prometheus' own, under the Apache License 2.0 in LICENSE; what was changed stands in each."""
