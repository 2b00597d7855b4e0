extends RefCounted
## One request over HTTP: the engine's WebSocket shows neither the status nor the headers of a response.

const Protocol := preload("halloo_protocol.gd")

## Bytes of a body that are read.
const MAX_BODY := 8192

var status := 0
var body := PackedByteArray()
## Why it was refused.
var text := ""
var proof := ""
var challenge := {}
## Whether the host has no address.
var is_unresolved := false
var _http := HTTPClient.new()
var _path: String
var _headers: PackedStringArray
var _is_sent := false


func _init(address: Dictionary, path: String, headers: PackedStringArray) -> void:
	_path = path
	_headers = headers
	_http.connect_to_host(address.host, address.port, TLSOptions.client() if address.tls else null)


## Returns whether it is complete, or has failed.
func poll() -> bool:
	_http.poll()
	if status == 0 and _http.has_response():
		_read_head()
	match _http.get_status():
		HTTPClient.STATUS_RESOLVING, HTTPClient.STATUS_CONNECTING, HTTPClient.STATUS_REQUESTING:
			return false
		HTTPClient.STATUS_CANT_RESOLVE:
			is_unresolved = true
		HTTPClient.STATUS_CONNECTED when not _is_sent:
			_is_sent = true
			return _http.request(HTTPClient.METHOD_GET, _path, _headers) != OK
		HTTPClient.STATUS_BODY when body.size() < MAX_BODY:
			body.append_array(_http.read_response_body_chunk())
			return false
	if text.is_empty():
		var said := body.slice(0, Protocol.MAX_TEXT)
		text = Protocol.clean(said.get_string_from_ascii(), Protocol.MAX_TEXT) if said else "no reason is given"
	return true


func _read_head() -> void:
	status = _http.get_response_code()
	for header in _http.get_response_headers():
		var value := header.substr(header.find(":") + 1).strip_edges()
		match header.get_slice(":", 0).to_lower():
			"halloo-proof":
				proof = value
			"location":
				var where := Protocol.clean(Protocol.hide_token(value), 200)
				text = "it redirects to %s; connect to that address if you trust it" % where
			"www-authenticate" when value.to_lower().begins_with("halloo "):
				challenge = Protocol.read_challenge(value)
