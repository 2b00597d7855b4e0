class Halloo < Formula
  desc "WebSocket server for the local network that clients discover"
  homepage "@URL@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]
@BLOCKS@
  def install
    bin.install "halloo"
    generate_completions_from_executable(bin/"halloo", "completions")
    (man1/"halloo.1").write Utils.safe_popen_read(bin/"halloo", "man")
  end

  service do
    run [opt_bin/"halloo", "serve"]
    keep_alive true
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/halloo --version")
  end
end
