//! The list of servers on the network as a node.

use godot::classes::{INode, Node};
use godot::prelude::*;
use godot::signal::ConnectHandle;
use halloo::{Browser, BrowserConfig, BrowserEvent, ServerInfo};

use crate::{convert, frame, log};

/// Finds the servers on the local network while it is in the tree.
///
/// ```gdscript
/// var browser := HallooBrowser.new()
/// browser.server_found.connect(func(info): print(info.name, " at ", info.url))
/// add_child(browser)
/// ```
#[derive(GodotClass)]
#[class(base = Node)]
pub(crate) struct HallooBrowser {
    /// The UDP port to which servers send their beacons, 1 to 65535.
    #[export]
    discovery_port: i32,
    /// Search on this machine only.
    #[export]
    local: bool,
    /// The id of a server to ignore, for example the game's own, from `HallooServer.get_id()`.
    #[export]
    ignore: GString,
    /// Find only servers with this application id, which is the name of the project unless the setting `halloo/app` is another;
    /// empty for all servers.
    #[export]
    app: GString,
    browser: Option<Browser>,
    frame_connection: Option<ConnectHandle>,
    base: Base<Node>,
}

#[godot_api]
impl INode for HallooBrowser {
    fn init(base: Base<Node>) -> Self {
        let discovery_port = i32::from(BrowserConfig::default().discovery_port);
        let (browser, frame_connection) = (None, None);
        let (ignore, app) = (GString::new(), GString::new());
        HallooBrowser { discovery_port, local: false, ignore, app, browser, frame_connection, base }
    }

    fn enter_tree(&mut self) {
        self.frame_connection = Some(frame::each_frame(&self.to_gd(), HallooBrowser::frame));
        let mut config = BrowserConfig::default();
        match u16::try_from(self.discovery_port) {
            Ok(port) if port > 0 => config.discovery_port = port,
            _ => log::error(&format!(
                "discovery_port is {}, but must be from 1 to 65535; {} is used",
                self.discovery_port, config.discovery_port
            )),
        }
        config.local = self.local;
        config.app = Some(self.app.to_string()).filter(|app| !app.is_empty());
        config.ignore = Some(self.ignore.to_string()).filter(|id| !id.is_empty());
        match Browser::start(config) {
            Ok(browser) => self.browser = Some(browser),
            Err(error) => log::error(&format!("cannot search for servers: {error}; allow the game to use the network")),
        }
    }

    fn exit_tree(&mut self) {
        frame::disconnect(&mut self.frame_connection);
        self.browser = None;
    }
}

#[godot_api]
impl HallooBrowser {
    /// Emitted when a server was found. `info` has `id`, `name`, `url`, `addresses`, `clients`, the number of its clients or -1
    /// if it is unknown, its application id `app` and its `cluster` or empty strings, and its properties `meta`, a
    /// dictionary of strings.
    #[signal]
    fn server_found(info: VarDictionary);

    /// Emitted when the info of a server has changed.
    #[signal]
    fn server_updated(info: VarDictionary);

    /// Emitted when a server was lost: it sent a goodbye, was restarted under another id, or no longer responds.
    #[signal]
    fn server_lost(id: GString);

    /// Returns the info of each server, as in `server_found`, in the order in which they were found.
    #[func]
    fn get_servers(&self) -> Array<VarDictionary> {
        self.browser.iter().flat_map(Browser::servers).map(|server| info(&server)).collect()
    }
}

impl HallooBrowser {
    fn frame(this: Gd<Self>) {
        // There are at most as many events as servers, so this needs no time budget.
        loop {
            let Some(event) = this.bind().try_event() else { break };
            match event {
                BrowserEvent::Found(server) => this.signals().server_found().emit(&info(&server)),
                BrowserEvent::Updated(server) => this.signals().server_updated().emit(&info(&server)),
                BrowserEvent::Lost(server) => this.signals().server_lost().emit(&GString::from(&server.id)),
                _ => {}
            }
            // A handler may have freed the node.
            if !this.is_instance_valid() {
                return;
            }
        }
        log::print_some();
    }

    fn try_event(&self) -> Option<BrowserEvent> {
        self.browser.as_ref()?.try_event()
    }
}

fn info(server: &ServerInfo) -> VarDictionary {
    let addresses: PackedStringArray = server.addresses.iter().map(|addr| GString::from(&addr.to_string())).collect();
    vdict! {
        "id" => &GString::from(&server.id),
        "name" => &GString::from(&server.name),
        "url" => &GString::from(&server.url),
        "addresses" => &addresses,
        "clients" => server.clients.map_or(-1, i64::from),
        "app" => &GString::from(server.app.as_deref().unwrap_or_default()),
        "cluster" => &GString::from(server.cluster.as_deref().unwrap_or_default()),
        "meta" => &convert::meta(&server.meta),
    }
}
