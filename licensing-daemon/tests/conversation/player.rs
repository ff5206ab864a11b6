//! Plays the client's part of a record and compares what the server says.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::record::{How, Line};
use crate::template::{Known, Template};
use crate::world::{Site, World};

/// Far above anything that works takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// First byte of a frame that says unasked who is master now. A server that stops may or may not have the time for it.
const MOVED: u8 = 1;

/// A conversation that goes on.
pub(crate) struct Player {
    world: World,
    connections: BTreeMap<String, TcpStream>,
    pub(crate) known: Known,
}

impl Player {
    pub(crate) async fn new(version: u16, site: Site) -> Player {
        let world = World::new(version, site).await;
        let mut known = Known::default();
        known.numbers.extend(world.ports().map(|(role, port)| (format!("port.{role}"), u64::from(port))));
        Player { world, connections: BTreeMap::new(), known }
    }

    /// Where the servers' files are, with a slash behind it: what no record should show.
    pub(crate) fn directory(&self) -> String {
        format!("{}/", self.world.directory.path().display())
    }

    /// Does or says what stands on the line, or hears it said.
    ///
    /// # Errors
    ///
    /// The server says something else.
    pub(crate) async fn play(&mut self, line: &Line) -> Result<(), String> {
        let (who, how, content) = match line {
            Line::Act(act) => {
                self.world.act(act).await;
                return Ok(());
            }
            Line::Said { who, how, content, .. } => (who, *how, content),
        };
        match how {
            How::Client | How::ClientBytes => self.say(who, how, content).await,
            How::Server => {
                let found = self.hear(who).await?.ok_or("the server closed the connection")?;
                content.compare(&found, &mut self.known)
            }
            How::Closed => loop {
                match self.hear(who).await? {
                    Some(frame) if frame.first() != Some(&MOVED) => {
                        return Err(format!("it says {frame:02x?}"));
                    }
                    Some(_) => {}
                    None => return Ok(()),
                }
            },
        }
    }

    async fn say(&mut self, who: &str, how: How, content: &Template) -> Result<(), String> {
        let content = content.fill(&self.known)?;
        let mut bytes = Vec::new();
        if how == How::Client {
            bytes.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        }
        bytes.extend(content);
        let stream = self.connection(who).await;
        stream.write_all(&bytes).await.map_err(|error| error.to_string())
    }

    /// The content of the next frame; `None` when the server has closed the connection.
    pub(crate) async fn hear(&mut self, who: &str) -> Result<Option<Vec<u8>>, String> {
        let stream = self.connection(who).await;
        let hearing = async {
            let length = match stream.read_u32().await {
                Ok(length) => length,
                // Bytes of ours that were not read make a reset of it.
                Err(error)
                    if [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&error.kind()) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let mut content = vec![0; length as usize];
            stream.read_exact(&mut content).await?;
            Ok(Some(content))
        };
        match timeout(PATIENCE, hearing).await {
            Ok(heard) => heard.map_err(|error| error.to_string()),
            Err(_) => Err(format!("it says nothing for {PATIENCE:?}")),
        }
    }

    async fn connection(&mut self, who: &str) -> &mut TcpStream {
        if !self.connections.contains_key(who) {
            let server = who.split('/').next().unwrap_or_default();
            let stream = TcpStream::connect(self.world.address(server)).await.unwrap();
            self.connections.insert(who.to_owned(), stream);
        }
        self.connections.get_mut(who).expect("it is open")
    }
}
