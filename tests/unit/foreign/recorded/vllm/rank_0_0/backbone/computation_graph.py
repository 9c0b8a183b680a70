from __future__ import annotations
import torch
class GraphModule(torch.nn.Module):
    def forward(self, L_self_modules_lin_parameters_weight_: "f32[4, 4]", s77: "Sym(s77)", L_x_: "f32[s77, 4]", L_self_modules_out_parameters_weight_: "f32[4, 4]"):
        l_self_modules_lin_parameters_weight_ = L_self_modules_lin_parameters_weight_
        l_x_ = L_x_
        l_self_modules_out_parameters_weight_ = L_self_modules_out_parameters_weight_

        # No stacktrace found for following nodes
        submod_0 = self.submod_0(l_x_, s77, l_self_modules_lin_parameters_weight_, l_self_modules_out_parameters_weight_);  l_x_ = s77 = l_self_modules_lin_parameters_weight_ = l_self_modules_out_parameters_weight_ = None
        getitem = submod_0[0];  submod_0 = None
        return (getitem,)

    class submod_0(torch.nn.Module):
        def forward(self, l_x_: "f32[s77, 4]", s77: "Sym(s77)", l_self_modules_lin_parameters_weight_: "f32[4, 4]", l_self_modules_out_parameters_weight_: "f32[4, 4]"):
            # File: /tmp/recording/vllm_sample.py:26 in forward, code: h=torch.relu(self.lin(x))
            linear: "f32[s77, 4]" = torch._C._nn.linear(l_x_, l_self_modules_lin_parameters_weight_, None);  l_x_ = l_self_modules_lin_parameters_weight_ = None
            relu: "f32[s77, 4]" = torch.relu(linear);  linear = None

            # File: /tmp/recording/vllm_sample.py:27 in forward, code: return torch.tanh(self.out(h))*2
            linear_1: "f32[s77, 4]" = torch._C._nn.linear(relu, l_self_modules_out_parameters_weight_, None);  relu = l_self_modules_out_parameters_weight_ = None
            tanh: "f32[s77, 4]" = torch.tanh(linear_1);  linear_1 = None
            mul: "f32[s77, 4]" = tanh * 2;  tanh = None
            return (mul,)
