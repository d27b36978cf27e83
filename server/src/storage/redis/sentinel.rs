//! Who the master is, from those who watch it.

use redis::aio::ConnectionLike;
use redis::{cmd, from_redis_value};

use super::connect::{Access, in_words};
use crate::settings::meaning::RedisServer;

/// Asks one sentinel after the other; the first that knows is believed, and the server itself is asked for its role after that.
pub(super) async fn master(access: &Access, name: &str) -> Result<RedisServer, String> {
    let mut reasons = Vec::new();
    for sentinel in &access.settings.servers {
        match tokio::time::timeout(access.settings.connect_timeout, ask(access, sentinel, name)).await {
            Ok(Ok(server)) => return Ok(server),
            Ok(Err(reason)) => reasons.push(format!("{sentinel}: {reason}")),
            Err(_) => reasons.push(format!("{sentinel}: no answer in time")),
        }
    }
    Err(format!("no sentinel names the master {name:?} ({})", reasons.join("; ")))
}

async fn ask(access: &Access, sentinel: &RedisServer, name: &str) -> Result<RedisServer, String> {
    let mut connected = access.open(sentinel, false).await?;
    let question = cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name).to_owned();
    let answer = connected.connection.req_packed_command(&question).await.map_err(|error| in_words(&error))?;
    let answer = answer.extract_error().map_err(|error| in_words(&error))?;
    let Ok(Some((host, port))) = from_redis_value::<Option<(String, u16)>>(answer) else {
        return Err("it knows no master of that name".to_owned());
    };
    Ok(RedisServer { host, port, tls: sentinel.tls })
}
