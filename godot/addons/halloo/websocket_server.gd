extends Node
## A WebSocket server for the local network, as the autoload [code]WebSocketServer[/code].
##
## It starts by itself, announces itself until somebody connects, and tells with [signal model_data_received] what its
## clients send. Every function can be called from anywhere:
## [codeblock]
## func _ready():
##     WebSocketServer.connect_to_signal(self, _on_model_data_received)
##
## func _on_model_data_received(data: String):
##     WebSocketServer.send_to_all("heard " + data)
## [/codeblock]
## The settings are in Project Settings > Halloo. The network is served on a thread of its own, also while the game is
## busy or paused; signals are emitted once a frame. Where the native library is missing, [code]fallback.gd[/code] does
## what is marked "always" here, and the rest answers [constant ERR_UNAVAILABLE].

## A client has sent a message, text or binary; binary arrives as UTF-8. Always.
signal model_data_received(data: String)
## A client has finished its handshake. Numbers begin at 1 and are not used twice. Always.
signal client_joined(id: int)
## A client has gone: its close code, or 1006 when the connection just ended, and why. Always.
signal client_left(id: int, code: int, reason: String)
## A client has sent a text.
signal message_received(id: int, text: String)
## A client has sent bytes.
signal binary_received(id: int, bytes: PackedByteArray)
## All texts of one frame in order, with the numbers of their senders: much faster than one call for each. When somebody
## joins or leaves in between, there is one call before and one after.
signal messages_received(ids: PackedInt64Array, texts: PackedStringArray)
## Announcing has begun or paused.
signal discovery_changed(active: bool)
## Messages for a client that does not take them fast enough were dropped.
signal messages_dropped(id: int, count: int)
## The server failed and no longer runs; [method start_server] starts it again.
signal server_failed(message: String)

## The settings that the server reads from [code]halloo/…[/code] of the project's settings.
const SETTINGS: Array[String] = [
	"token", "frame_budget_ms", "verbosity",
	# Those of the server are written by `cargo xtask generate`.
	# settings: begin
	"port", "strict_port", "bind", "name", "discovery", "discovery_port", "discovery_interval", "strict_beacon",
	"allowed_origins", "allowed_hosts", "allow_public", "max_clients", "max_clients_per_address",
	"handshake_timeout", "handshake_max_head_bytes", "handshake_max_headers", "handshake_max_pending",
	"handshake_max_pending_per_address", "max_message_bytes", "max_fragments", "fragment_timeout",
	"max_control_frames_per_second", "max_partial_bytes_total", "compression", "outbox_max_messages",
	"outbox_max_bytes", "outbox_when_full", "max_outbox_bytes_total", "write_timeout", "close_timeout",
	"heartbeat", "event_queue_max_events", "event_queue_max_bytes",
	# settings: end
]
const NATIVE_CLASS := &"HallooServer"
const EXTENSION := "res://addons/halloo/halloo.gdextension"
## Where the editor keeps which extensions a project has.
const EXTENSIONS_FOUND := "res://.godot/extension_list.cfg"
const MONITORS := {
	"halloo/clients": &"_monitor_clients",
	"halloo/messages in per second": &"_monitor_in",
	"halloo/messages out per second": &"_monitor_out",
	"halloo/events waiting": &"_monitor_waiting",
	"halloo/messages dropped": &"_monitor_dropped",
}

## The server of the program; the one that came last when there are several.
static var instance: Node

static var _instances: Array[Node] = []

## Whether the native library serves.
var is_native := false

var _server: Node


func _ready() -> void:
	if Engine.is_editor_hint():
		return
	instance = self
	_instances.append(self)
	process_mode = PROCESS_MODE_ALWAYS
	_make_server()
	_add_monitors()
	_report_to_editor()
	if ProjectSettings.get_setting("halloo/autostart", true):
		start_server()


func _notification(what: int) -> void:
	if what != NOTIFICATION_PREDELETE:
		return
	_instances.erase(self)
	if instance == self:
		instance = _instances.back() if _instances else null
	if _instances.is_empty():
		_remove_monitors()


## Starts the server, after stopping it if it runs. Without [param port] that of the project's settings is used. When it is
## taken, the nine after it are tried; when all are, the answer is [constant ERR_ALREADY_IN_USE]. Always.
static func start_server(port := -1) -> Error:
	var server := _anything("start_server")
	if server == null:
		return ERR_UNCONFIGURED
	if port < -1 or port > 65_535:
		push_error("[halloo] start_server(%d): a port is a number from 1 to 65535, or 0 for any free one" % port)
		return ERR_INVALID_PARAMETER
	var settings := _settings()
	if port >= 0:
		settings.port = port
	if instance.is_native:
		return server.start(settings)
	if settings.get("token", ""):
		push_error("[halloo] halloo/token needs the native library, which is missing for this platform; nothing is started")
		return ERR_UNAVAILABLE
	server.verbose = settings.get("verbosity", 1) >= 2
	return server.start_server(settings.get("port", 8765))


## Stops the server and closes all connections. Always.
static func stop_server() -> void:
	var server := _anything("stop_server")
	if server != null:
		server.call(&"stop" if instance.is_native else &"stop_server")


## Sends a text to every client. That there is none is no error. Always.
static func send_to_all(data: String) -> Error:
	var server := _anything("send_to_all")
	return ERR_UNCONFIGURED if server == null else server.send_to_all(data)


## Sends a text to one client: [constant ERR_DOES_NOT_EXIST] when it has left, [constant ERR_BUSY] when too much waits to be
## sent already.
static func send(id: int, text: String) -> Error:
	var server := _native("send")
	return ERR_UNAVAILABLE if server == null else server.send(id, text)


## Sends bytes to one client; answers as [method send].
static func send_binary(id: int, bytes: PackedByteArray) -> Error:
	var server := _native("send_binary")
	return ERR_UNAVAILABLE if server == null else server.send_binary(id, bytes)


## Sends bytes to every client.
static func send_binary_to_all(bytes: PackedByteArray) -> Error:
	var server := _native("send_binary_to_all")
	return ERR_UNAVAILABLE if server == null else server.send_binary_to_all(bytes)


## Disconnects a client. [param code] is 1000, or 3000 to 4999 for a meaning of your own; [param reason] has at most 123 bytes.
static func disconnect_client(id: int, code := 1000, reason := "") -> Error:
	var server := _native("disconnect_client")
	return ERR_UNAVAILABLE if server == null else server.disconnect_client(id, code, reason)


## Calls [param method], a Callable or the name of a method of [param receiver], with each message. Connecting twice is
## harmless, and a receiver that is freed is disconnected. Always.
static func connect_to_signal(receiver: Object, method: Variant) -> Error:
	if _anything("connect_to_signal") == null:
		return ERR_UNCONFIGURED
	var callable: Callable = method if method is Callable else Callable(receiver, StringName(str(method)))
	if not callable.is_valid():
		push_error("[halloo] connect_to_signal(): %s is no method of %s" % [method, receiver])
		return ERR_INVALID_PARAMETER
	var received: Signal = instance.model_data_received
	return OK if received.is_connected(callable) else received.connect(callable)


## Announces the server now, unless discovery is stopped. Always.
static func broadcast_now() -> void:
	var server := _anything("broadcast_now")
	if server != null:
		server.broadcast_now()


## Stops announcing, and answering those who search, until [method start_service_discovery]. Always.
static func stop_service_discovery() -> void:
	var server := _anything("stop_service_discovery")
	if server != null:
		server.stop_service_discovery()


## Announces the server again whenever nobody is connected. Always.
static func start_service_discovery() -> void:
	var server := _anything("start_service_discovery")
	if server != null:
		server.start_service_discovery()


## [code]server_running[/code], [code]server_port[/code], [code]connected_clients[/code], [code]discovery_enabled[/code],
## [code]discovery_active[/code] and [code]local_ip[/code]. The native library adds counters under [code]halloo[/code]. Always.
static func get_server_status() -> Dictionary:
	var server := _anything("get_server_status")
	if server != null:
		return server.get_status() if instance.is_native else server.get_server_status()
	return {
		"server_running": false, "server_port": 0, "connected_clients": 0,
		"discovery_enabled": false, "discovery_active": false, "local_ip": "",
	}


## Each client: [code]id[/code], [code]address[/code], [code]latency_ms[/code] (-1 before the first heartbeat), and how many
## messages are [code]waiting[/code] or were [code]dropped[/code].
static func get_clients() -> Array[Dictionary]:
	var server := _native("get_clients")
	var none: Array[Dictionary] = []
	return none if server == null else server.get_clients()


## Every address of the server, such as [code]ws://192.168.1.5:8765[/code]: that of this machine alone first, then the best for
## others.
static func get_urls() -> PackedStringArray:
	var server := _native("get_urls")
	return PackedStringArray() if server == null else server.get_urls()


## A QR code for phones, [param pixels] wide and high at least: of the page that connects back to the server, or of [param text].
## [code]null[/code] when the server does not run or the text is too long.
static func get_qr_texture(text := "", pixels := 256) -> ImageTexture:
	var server := _native("get_qr_texture")
	if server == null:
		return null
	var content: String = text if text else server.get_invitation()
	var modules: PackedByteArray = server.get_qr_modules(content) if content else PackedByteArray()
	if modules.is_empty():
		return null
	var width := roundi(sqrt(modules.size()))
	var image := Image.create_from_data(width, width, false, Image.FORMAT_L8, modules)
	# Whole pixels for each module, or a camera sees it blurred.
	var side := width * ceili(float(pixels) / width)
	image.resize(side, side, Image.INTERPOLATE_NEAREST)
	return ImageTexture.create_from_image(image)


func _make_server() -> void:
	# The engine loads what the editor has found; a project that no editor has opened yet is a project, too.
	if not ClassDB.class_exists(NATIVE_CLASS) and FileAccess.file_exists(EXTENSION) \
			and not FileAccess.file_exists(EXTENSIONS_FOUND):
		GDExtensionManager.load_extension(EXTENSION)
	is_native = ClassDB.class_exists(NATIVE_CLASS)
	if is_native:
		_server = ClassDB.instantiate(NATIVE_CLASS)
		_server.forward_to(self)
	else:
		push_warning(("[halloo] the native library for %s %s is missing, so the server runs in GDScript: slower, and with "
				+ "the documented functions only. Put the addon's folder bin/ of a release next to halloo.gdextension.")
				% [OS.get_name(), Engine.get_architecture_name()])
		_server = load("res://addons/halloo/fallback.gd").new()
		_server.model_data_received.connect(model_data_received.emit)
		_server.client_joined.connect(client_joined.emit)
		_server.client_left.connect(client_left.emit)
	add_child(_server)


## What the project's settings have; what they do not have, the server knows.
static func _settings() -> Dictionary:
	var settings := {}
	for key in SETTINGS:
		if ProjectSettings.has_setting("halloo/" + key):
			settings[key] = ProjectSettings.get_setting("halloo/" + key)
	if str(settings.get("name", "")).is_empty():
		settings.name = ProjectSettings.get_setting("application/config/name", "")
	return settings


## The server of [member instance], or [code]null[/code], said.
static func _anything(function: String) -> Node:
	if is_instance_valid(instance):
		return instance._server
	push_error("[halloo] %s(): there is no WebSocketServer yet, or no more; call it after _ready() of the autoload" % function)
	return null


static func _native(function: String) -> Node:
	var server := _anything(function)
	if server == null or instance.is_native:
		return server
	push_error("[halloo] %s() needs the native library, which is missing for this platform" % function)
	return null


func _add_monitors() -> void:
	for id: String in MONITORS:
		if is_native and not Performance.has_custom_monitor(id):
			Performance.add_custom_monitor(id, Callable(get_script(), MONITORS[id]))


func _remove_monitors() -> void:
	for id: String in MONITORS:
		if Performance.has_custom_monitor(id):
			Performance.remove_custom_monitor(id)


static func _monitor_clients() -> int:
	return instance._server.get_status().connected_clients


static func _monitor_in() -> float:
	return instance._server.get_rates().x


static func _monitor_out() -> float:
	return instance._server.get_rates().y


static func _monitor_waiting() -> int:
	return instance._server.get_waiting_events()


static func _monitor_dropped() -> int:
	return instance._server.get_status().get("halloo", {}).get("messages_dropped", 0)


## Tells the dock in the editor, if one is listening, how the server is.
func _report_to_editor() -> void:
	if not EngineDebugger.is_active():
		return
	var timer := Timer.new()
	timer.wait_time = 1.0
	timer.autostart = true
	timer.timeout.connect(func() -> void: EngineDebugger.send_message("halloo:status", [_report()]))
	add_child(timer)


func _report() -> Dictionary:
	if not is_native:
		return _server.get_server_status()
	var report: Dictionary = _server.get_status()
	report.urls = _server.get_urls()
	report.clients = _server.get_clients()
	report.page = _server.get_invitation()
	return report
