"""One connection that sends a request and waits for its answer."""

import re
from asyncio import StreamReader, StreamWriter


async def fetch(connection: tuple[StreamReader, StreamWriter], request: str) -> tuple[int, str]:
    """The status and body of the answer."""
    reader, writer = connection
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = re.search(r"\r\ncontent-length: (\d+)", head)
    body = await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split(" ", 2)[1]), body.decode()
