def encode_svg(planes, colours, title, record) -> bytes:
    raise NotImplementedError
