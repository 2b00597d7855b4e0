@tool
extends RefCounted
## QR codes for the dock.

const NATIVE_CLASS := &"HallooServer"


## Returns the QR code of [param text], one pixel per module; [code]null[/code] if [param text] is empty or too long, or
## without the native library.
static func texture(text: String) -> Texture2D:
	# Before Godot 4.4, a static function of a class cannot be called by name.
	if text.is_empty() or not ClassDB.class_exists(NATIVE_CLASS) or not ClassDB.has_method(&"class_call_static"):
		return null
	var modules: PackedByteArray = ClassDB.call(&"class_call_static", NATIVE_CLASS, &"get_qr_modules", text)
	if modules.is_empty():
		return null
	var width := roundi(sqrt(modules.size()))
	return ImageTexture.create_from_image(Image.create_from_data(width, width, false, Image.FORMAT_L8, modules))
