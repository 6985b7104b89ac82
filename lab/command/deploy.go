package command

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/lab/deploy"
	"mtlslab.example/lab/lab/text"
)

func (p *Program) deployCommand() *cli.Command {
	return &cli.Command{
		Name:        "deploy",
		Category:    takeElsewhere,
		Usage:       "run in containers: a compose file, or manifests for Kubernetes",
		Subcommands: []*cli.Command{p.deployComposeCommand(), p.deployKubernetesCommand()},
	}
}

func imageFlag() cli.Flag {
	return &cli.StringFlag{Name: "image", Value: "localhost/lab", Usage: "`IMAGE` that containers run"}
}

const deployComposeExamples = `lab deploy compose > compose.yaml
docker compose up -d
docker compose logs server     has the address of the live view`

func (p *Program) deployComposeCommand() *cli.Command {
	return &cli.Command{
		Name:        "compose",
		Usage:       "print a compose file: PKI, server, client, live view",
		Description: deployComposeExamples,
		Flags:       []cli.Flag{dirFlag(), imageFlag()},
		Action:      noArguments(p.deployCompose),
	}
}

func (p *Program) deployCompose(c *cli.Context) error {
	image, err := imageOf(c)
	if err != nil {
		return err
	}
	f := folderOf(c)
	manifest, err := os.ReadFile(f.manifest())
	if errors.Is(err, fs.ErrNotExist) {
		manifest, err = p.Manifest, nil
	}
	if err != nil {
		return err
	}
	named, _, err := certgen.AddSANs(f.manifest(), manifest, deploy.Server, []string{"DNS:" + deploy.Server})
	if err != nil {
		return err
	}
	text, err := deploy.Compose{Image: image, Certs: string(named)}.YAML()
	if err != nil {
		return err
	}
	_, err = p.results.Write(text)
	return err
}

// reference is that of an image: a registry, a path, a tag and a digest.
var reference = text.Pattern(`^[A-Za-z0-9][A-Za-z0-9._:/@-]*$`)

func imageOf(c *cli.Context) (string, error) {
	image := c.String("image")
	if !reference().MatchString(image) {
		return "", &usageError{command: commandName(c), problem: "--image is \"" + image + "\", and must be like registry.example/lab:1.0"}
	}
	return image, nil
}

const deployKubernetesExamples = `lab deploy kubernetes | kubectl apply -f -
lab deploy kubernetes --image registry.example/lab:1.0 --out lab
kubectl apply -k lab               lab is a Kustomize base
lab deploy kubernetes --participants 20      client-01 to client-20
lab deploy kubernetes --gateway --gateway-class istio
lab deploy kubernetes --cert-manager         it makes the certificates`

func (p *Program) deployKubernetesCommand() *cli.Command {
	return &cli.Command{
		Name:        "kubernetes",
		Usage:       "print manifests: Secrets, server, clients, scenarios",
		Description: deployKubernetesExamples,
		Flags: []cli.Flag{dirFlag(), imageFlag(),
			&cli.StringFlag{Name: "namespace", DefaultText: "lab, which the manifests make", Usage: "`NAMESPACE` that is there already"},
			&cli.IntFlag{Name: "participants", Usage: "make `N` copies of client in certs.yaml, client-01 and so on, and deploy those"},
			&cli.BoolFlag{Name: "gateway", Usage: "put a gateway before the server (Gateway API)"},
			&cli.StringFlag{Name: "gateway-class", Value: "lab", Usage: "`CLASS` of the gateway: kubectl get gatewayclass"},
			&cli.BoolFlag{Name: "cert-manager", Usage: "have cert-manager issue the certificates, in place of certs.yaml"},
			&cli.StringFlag{Name: "out", DefaultText: "all to stdout", Usage: "`FOLDER` for a Kustomize base"},
			&cli.BoolFlag{Name: "force", Usage: "write over files of FOLDER that differ"},
		},
		Action: noArguments(p.deployKubernetes),
	}
}

// secretsOnTerminalError refuses to show private keys.
type secretsOnTerminalError struct{}

func (secretsOnTerminalError) Error() string {
	return "the manifests have private keys, and stdout is a terminal"
}

func (secretsOnTerminalError) hint() string {
	return "lab deploy kubernetes | kubectl apply -f -, or --out FOLDER, or --cert-manager, which has none"
}

func (p *Program) deployKubernetes(c *cli.Context) error {
	k, err := p.kubernetesOf(c)
	if err != nil {
		return err
	}
	if !c.Bool("cert-manager") {
		if c.String("out") == "" && isTerminal(p.Stdout) {
			return secretsOnTerminalError{}
		}
		if k.PKI, err = p.deployedPKI(c, k); err != nil {
			return err
		}
	}
	all, err := k.Files()
	if err != nil {
		return err
	}
	if out := c.String("out"); out != "" {
		return p.writeBase(c, out, all)
	}
	var manifests [][]byte
	for _, file := range all[:len(all)-1] { // but for kustomization.yaml
		manifests = append(manifests, file.Content)
	}
	_, err = p.results.Write(bytes.Join(manifests, []byte("---\n")))
	return err
}

// kubernetesOf reads the flags.
func (p *Program) kubernetesOf(c *cli.Context) (k deploy.Kubernetes, err error) {
	usage := func(problem string) error { return &usageError{command: commandName(c), problem: problem} }
	if k.Image, err = imageOf(c); err != nil {
		return k, err
	}
	k.Namespace, k.Create = cmp.Or(c.String("namespace"), "lab"), !c.IsSet("namespace")
	switch n := c.Int("participants"); {
	case !deploy.IsLabel(k.Namespace):
		return k, usage("--namespace is \"" + k.Namespace + "\", and must have small letters, digits and - alone, at most 63")
	case c.IsSet("participants") && (n < 1 || n > 999):
		return k, usage("--participants must be from 1 to 999")
	case n > 0:
		k.Clients = numbered(deploy.Client, n)
	default:
		k.Clients = []string{deploy.Client}
	}
	if c.Bool("gateway") {
		if k.GatewayClass = c.String("gateway-class"); !deploy.IsName(k.GatewayClass) {
			return k, usage("--gateway-class is \"" + k.GatewayClass + "\", and must be the name of a GatewayClass")
		}
	}
	return k, nil
}

// deployedPKI adds to certs.yaml what the cluster needs, makes it, and reads it.
func (p *Program) deployedPKI(c *cli.Context, k deploy.Kubernetes) (objects []*deploy.Object, err error) {
	f := folderOf(c)
	m, err := p.adoptManifest(f, certgen.Options{})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{deploy.ServerCA, deploy.Server, deploy.ClientCA, deploy.Client} {
		if _, err := m.Lookup(name); err != nil {
			return nil, err
		}
	}
	data, err := os.ReadFile(f.manifest())
	if err != nil {
		return nil, err
	}
	named, names, err := certgen.AddSANs(f.manifest(), data, deploy.Server, []string{"DNS:" + k.Host()})
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		if err := f.rewriteManifest(data, named); err != nil {
			return nil, err
		}
		p.say("added to %s: %s is for %s too", f.manifest(), deploy.Server, k.Host())
	}
	if err := p.addCopies(f, deploy.Client, k.Identities()); err != nil {
		return nil, err
	}
	if err := p.preparePKI(c.Context, f, false); err != nil {
		return nil, err
	}
	for _, name := range append([]string{deploy.ServerCA, deploy.ClientCA, deploy.Server}, k.Identities()...) {
		object, err := deploy.Read(f.certs(), name)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// writeBase writes a Kustomize base. What is there and differs stays, without
// --force.
func (p *Program) writeBase(c *cli.Context, dir string, all []deploy.File) error {
	for _, file := range all {
		there, err := os.ReadFile(filepath.Join(dir, file.Name))
		if err == nil && bytes.Equal(there, file.Content) {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			if err := folderOf(c).checkNew(c, "out", filepath.Join(dir, file.Name)); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var secret string
	for _, file := range all {
		mode := fs.FileMode(0o644)
		if file.Secret {
			secret, mode = filepath.Join(dir, file.Name), 0o600
		}
		if err := atomicfile.Write(filepath.Join(dir, file.Name), file.Content, mode); err != nil {
			return err
		}
	}
	p.say("wrote a Kustomize base: kubectl apply -k %s", commandWord(dir))
	if c.Bool("cert-manager") {
		p.say("it takes cert-manager in the cluster, which makes all certificates")
	}
	if c.Bool("gateway") {
		p.say("it takes Gateway API 1.5 or later, and a GatewayClass called %s (--gateway-class)", c.String("gateway-class"))
	}
	if secret != "" {
		p.say("private keys are in %s: keep it out of version control", strings.TrimPrefix(secret, "./"))
	}
	return nil
}
