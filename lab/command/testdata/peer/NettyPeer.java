import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.IdentityCipherSuiteFilter;
import io.netty.handler.ssl.JdkSslContext;
import java.nio.charset.StandardCharsets;
import javax.net.ssl.SSLContext;

/** Speaks TLS with Netty, by JSSE's SSLEngine: java NettyPeer STORE client|server PORT VERSION. The client asks for /netty. */
public class NettyPeer {
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[2]);
        if (args[1].equals("server")) {
            new ServerBootstrap().group(new NioEventLoopGroup(2)).channel(NioServerSocketChannel.class)
                    .childHandler(new Spoken(args[0], args[3], false)).bind("127.0.0.1", port).sync().channel().closeFuture().sync();
            return;
        }
        NioEventLoopGroup group = new NioEventLoopGroup(1);
        Channel channel = new Bootstrap().group(group).channel(NioSocketChannel.class)
                .handler(new Spoken(args[0], args[3], true)).connect("localhost", port).sync().channel();
        channel.writeAndFlush(text("GET /netty HTTP/1.0\r\n\r\n")).sync();
        channel.closeFuture().sync();
        group.shutdownGracefully(0, 1, java.util.concurrent.TimeUnit.SECONDS);
        System.out.println("done");
    }

    static ByteBuf text(String s) {
        return Unpooled.copiedBuffer(s, StandardCharsets.US_ASCII);
    }

    static class Spoken extends ChannelInitializer<Channel> {
        final JdkSslContext tls;
        final boolean client;

        Spoken(String store, String version, boolean client) throws Exception {
            SSLContext context = Peer.contextOf(store);
            this.client = client;
            tls = new JdkSslContext(context, client, null, IdentityCipherSuiteFilter.INSTANCE, ApplicationProtocolConfig.DISABLED,
                    client ? ClientAuth.NONE : ClientAuth.REQUIRE, new String[] {version}, false);
        }

        @Override
        protected void initChannel(Channel c) {
            c.pipeline().addLast(tls.newHandler(c.alloc()), new SimpleChannelInboundHandler<ByteBuf>() {
                @Override
                protected void channelRead0(ChannelHandlerContext ctx, ByteBuf said) {
                    if (!client) {
                        ctx.writeAndFlush(text("HTTP/1.0 200 OK\r\n\r\n")).addListener(ChannelFutureListener.CLOSE);
                    }
                }
            });
        }
    }
}
