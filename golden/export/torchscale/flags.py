"""What a case of the position encodings exercises, computed from its own tensors."""


def flags(case, inputs):
    found = set(case.get("flags", []))
    if case.get("raises"):
        return sorted(found | {"Raises"})
    if case.get("grads"):
        found.add("Gradients")
    found |= xpos_flags(inputs) if case["class"] == "XPOS" else bias_flags(case["config"], inputs)
    return sorted(found)


def xpos_flags(inputs):
    length, offset = inputs["x"].shape[1], int(inputs.get("offset", 0))
    found = {"Downscale"} if int(inputs.get("downscale", 0)) else set()
    found |= {"Offset"} if offset else set()
    return found | {"OddLength" if (length + offset) % 2 else "EvenLength"}


def bias_flags(config, inputs):
    queries, keys, step = (int(inputs.get(name, 0)) for name in ("qlen", "klen", "step"))
    found = {"Step"} if step else set()
    found |= {"FewerQueries"} if queries < keys else set()
    if keys - 1 - step > 0:
        found.add("LaterKeys")
    if step + queries - 1 >= config.get("max_distance", 128):
        found.add("BeyondMaxDistance")
    return found | ({"OddBuckets"} if config.get("num_buckets", 32) % 2 else set())
