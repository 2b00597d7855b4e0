//! The live list of servers as a node.

use godot::classes::{INode, Node};
use godot::prelude::*;
use godot::signal::ConnectHandle;
use halloo::{Browser, BrowserConfig, BrowserEvent, ServerInfo};

use crate::{frame, log};

/// Finds the servers of the local network, for as long as it is in the tree.
///
/// ```gdscript
/// var browser := HallooBrowser.new()
/// browser.server_found.connect(func(info): print(info.name, " at ", info.url))
/// add_child(browser)
/// ```
#[derive(GodotClass)]
#[class(base = Node)]
pub(crate) struct HallooBrowser {
    /// The UDP port on which servers announce themselves.
    #[export]
    discovery_port: i32,
    /// Looks on this machine only.
    #[export]
    local: bool,
    /// The id of a server that is passed over: one's own, as `HallooServer.get_id()` tells it.
    #[export]
    ignore: GString,
    browser: Option<Browser>,
    frames: Option<ConnectHandle>,
    base: Base<Node>,
}

#[godot_api]
impl INode for HallooBrowser {
    fn init(base: Base<Node>) -> Self {
        let discovery_port = i32::from(BrowserConfig::default().discovery_port);
        let (browser, frames) = (None, None);
        HallooBrowser { discovery_port, local: false, ignore: GString::new(), browser, frames, base }
    }

    fn enter_tree(&mut self) {
        self.frames = Some(frame::each_frame(&self.to_gd(), HallooBrowser::frame));
        let mut config = BrowserConfig::default();
        match u16::try_from(self.discovery_port) {
            Ok(port) if port > 0 => config.discovery_port = port,
            _ => log::complain(&format!("discovery_port is {}, but has to be from 1 to 65535", self.discovery_port)),
        }
        config.local = self.local;
        config.ignore = Some(self.ignore.to_string()).filter(|id| !id.is_empty());
        match Browser::start(config) {
            Ok(browser) => self.browser = Some(browser),
            Err(error) => log::complain(&format!("cannot look for servers: {error}; is the network allowed?")),
        }
    }

    fn exit_tree(&mut self) {
        frame::no_more(&mut self.frames);
        self.browser = None;
    }
}

#[godot_api]
impl HallooBrowser {
    /// A server that was not known: `id`, `name`, `url`, `addresses`, and `clients`, which is -1 when it does not tell.
    #[signal]
    fn server_found(info: VarDictionary);

    /// A known server told something new.
    #[signal]
    fn server_updated(info: VarDictionary);

    /// The server with this id said goodbye, was started anew, or answers no more.
    #[signal]
    fn server_lost(id: GString);

    /// The servers that are known now, each as `server_found` tells it, in the order in which they were found.
    #[func]
    fn get_servers(&self) -> Array<VarDictionary> {
        self.browser.iter().flat_map(Browser::servers).map(|server| info(&server)).collect()
    }
}

impl HallooBrowser {
    fn frame(this: Gd<Self>) {
        // At most as many events as there are servers, so no frame is long.
        loop {
            let Some(event) = this.bind().try_event() else { break };
            match event {
                BrowserEvent::Found(server) => this.signals().server_found().emit(&info(&server)),
                BrowserEvent::Updated(server) => this.signals().server_updated().emit(&info(&server)),
                BrowserEvent::Lost(server) => this.signals().server_lost().emit(&GString::from(&server.id)),
                _ => {}
            }
            // A handler may have freed it.
            if !this.is_instance_valid() {
                return;
            }
        }
        log::print_waiting();
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
    }
}
