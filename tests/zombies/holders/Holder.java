import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/**
 * A Java process with half-closed sockets, until its stdin ends.
 *
 * <pre>
 * java Holder.java client PORT   a client that never closes
 * java Holder.java keeps         a Gateway that accepts and never closes; prints its port
 * java Holder.java stuck         a Gateway that does not accept any more; prints its port
 * </pre>
 */
class Holder {
    public static void main(String[] arguments) throws Exception {
        InetAddress here = InetAddress.getByName("127.0.0.1");
        List<Socket> kept = new ArrayList<>();
        switch (arguments[0]) {
            case "client" -> {
                kept.add(new Socket(here, Integer.parseInt(arguments[1])));
                System.out.println("connected");
            }
            case "keeps" -> {
                ServerSocket listener = new ServerSocket(0, 50, here);
                Thread acceptor = new Thread(() -> accept(listener, kept));
                acceptor.setDaemon(true);
                acceptor.start();
                System.out.println(listener.getLocalPort());
            }
            case "stuck" -> System.out.println(new ServerSocket(0, 50).getLocalPort());
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        System.in.read();
        System.exit(0);
    }

    private static void accept(ServerSocket listener, List<Socket> kept) {
        try {
            while (true) {
                kept.add(listener.accept());
            }
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }
}
