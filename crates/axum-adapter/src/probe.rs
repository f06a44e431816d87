//! The probe of an upgrade: a websocket shows that it carries frames both ways before its session moves to it.
//!
//! The engine would move the session as soon as the websocket opens, and end it when the websocket then breaks or
//! carries nothing. Proxies and virus scanners that answer 101 and then block or cut are why clients begin with HTTP
//! long-polling. Hence the engine gets the websocket when the probe has succeeded, and sees the probe then.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// What the client sends to the engine: `2probe` and `5`, as text frames with a mask of zeros.
const REQUESTS: &[u8] = b"\x81\x86\0\0\0\x002probe\x81\x81\0\0\0\x005";
/// What the server answers to the first: `3probe` as a text frame.
const ANSWER: &[u8] = b"\x81\x063probe";

/// Answers the probe of a client, and waits until the client has seen the answer.
///
/// Reads the bytes of the probe and none of what follows.
///
/// # Errors
/// Those of the stream, and `InvalidData` for anything but a probe.
pub(crate) async fn probe(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    expect(stream, b"2probe").await?;
    stream.write_all(ANSWER).await?;
    stream.flush().await?;
    expect(stream, b"5").await
}

/// Reads one text frame of a client.
async fn expect<const LENGTH: usize>(stream: &mut (impl AsyncRead + Unpin), expected: &[u8; LENGTH]) -> io::Result<()> {
    let (mut head, mut payload) = ([0; 6], [0; LENGTH]);
    stream.read_exact(&mut head).await?;
    let [kind, length, mask @ ..] = head;
    if kind != 0x81 || usize::from(length) != 0x80 + LENGTH {
        return Err(io::ErrorKind::InvalidData.into());
    }
    stream.read_exact(&mut payload).await?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    if payload == *expected { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A websocket whose probe has succeeded, for an engine that expects the probe: it reads the requests again, and its
/// answer is left out.
#[derive(Debug)]
pub(crate) struct Probed<S> {
    stream: S,
    requests: &'static [u8],
    /// The number of bytes of the answer that are still to come.
    answer: usize,
}

impl<S> Probed<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, requests: REQUESTS, answer: ANSWER.len() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Probed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.requests.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let (now, later) = self.requests.split_at(self.requests.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.requests = later;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Probed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.answer == 0 {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        let written = bytes.len().min(self.answer);
        self.answer -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::{ANSWER, Probed, REQUESTS, probe};

    #[tokio::test]
    async fn a_probe_is_answered_and_what_follows_it_is_left_to_the_engine() {
        let (mut client, mut server) = duplex(1024);
        let masked = b"\x81\x86\x01\x02\x03\x043rqkcg";
        client.write_all(&[&masked[..], &REQUESTS[12..], b"next"].concat()).await.expect("written");
        probe(&mut server).await.expect("a probe");
        let mut answer = [0; ANSWER.len()];
        client.read_exact(&mut answer).await.expect("answered");
        assert_eq!(answer, ANSWER);

        let mut probed = Probed::new(server);
        probed.write_all(ANSWER).await.expect("left out");
        probed.write_all(b"first").await.expect("written");
        let mut read = vec![0; REQUESTS.len() + 4];
        probed.read_exact(&mut read).await.expect("read");
        assert_eq!(read, [REQUESTS, b"next"].concat());
        let mut first = [0; 5];
        client.read_exact(&mut first).await.expect("read");
        assert_eq!(&first, b"first");
    }

    #[tokio::test]
    async fn anything_but_a_probe_is_refused() {
        let frames: [&[u8]; 6] = [
            b"\x81\x86\0\0\0\x002prose",
            b"\x81\x81\0\0\0\x005",
            b"\x82\x86\0\0\0\x002probe",
            b"\x81\x062probe....",
            b"\x88\x80\0\0\0\0",
            b"\x01\x86\0\0\0\x002probe",
        ];
        for frame in frames {
            let (mut client, mut server) = duplex(1024);
            client.write_all(frame).await.expect("written");
            drop(client);
            probe(&mut server).await.expect_err("refused");
        }
    }
}
